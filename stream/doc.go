// Package stream owns Kafka and the flow: the consumer, the assignment, claims
// in memory, queues, lanes, backpressure and the run loop. All goroutines of
// the flow are here. It never speaks SQL and knows no format: rows are encoded
// by an Encoder and written by a Store, which cmd/sinkd hands in.
//
// # The protocol
//
// Every record that Kafka has committed takes effect in Postgres exactly once.
// That rests on one thing: a compare-and-set of the position row in the
// transaction that writes the rows. The consumer group decides who should work;
// it fences nobody. The essay below says why each guard is there; its
// last section names the tests that fail when one is taken out.
//
// # States of a partition
//
//	             assigned                     claim, checked
//	(not ours) ------------> claiming --------------------------> running
//	     ^                    |   ^  ^                             |  |  |
//	     |     halt or pause  |   |  |  fenced: 2 heartbeats+jitter|  |  |
//	     |     in the row     |   |  +-----------------------------+  |  |
//	     |                    v   | acknowledged, resumed             |  |
//	     |              halted, paused <------------------------------+  |
//	     |                    |         incident, operator               |
//	     +--------------------+------------------------------------------+
//	                 revoked (the transaction under way may end), lost (at once)
//
// A tenure is one assignment of one partition to this process. What was begun
// under an older tenure is dropped.
//
// # Invariants
//
//  1. The ranges of a partition in the ledger are contiguous and disjoint
//     within a generation.
//  2. records = rows + skipped + dead, for every range.
//  3. The position changes only with its rows, operator commands apart.
//  4. A writer that lost a partition never commits for it again.
//
// # The way of a claim
//
// AdjustFetchOffsetsFn (adjust) asks the claimer, which works in a goroutine of
// its own: it pins the topic's first positions (pin), writes a fresh random
// token into the position rows and reads the positions (Store.Claim), and only
// then asks the brokers for identity and bounds (check). A good claim opens a
// queue in the lane with the fewest; the queue is published before the function
// returns the offset.
//
// The function never fails and never leaves a partition out. An error makes the
// client leave and rejoin without end; a partition left out of the map can
// never be revived. What cannot be claimed in time is returned at offset 0 and
// paused before, and when its claim comes, the poller opens the queue, sets the
// offset and resumes.
//
// # Why each guard is there
//
// Offset compare (store, apply). A database that failed over to a lagging
// replica, or was restored, has an older position under the same token. Without
// the compare the next range would land after a hole.
//
// Claim compare (store, apply). A range that was built under an old claim can
// fit the position again after an operator's reset, or after the topic was made
// anew: its records would be those of another time. Whatever changes a
// position, an identity or a halt writes a new token, so one comparison covers
// all of them.
//
// Random token. A counter can be minted twice: by two writers on either side of
// a failover that lost the first one's claim.
//
// Claim before read. The position is read by the statement that writes the
// token. Read before, another writer could move it in between, and the records
// from the older position on would be read for nothing; compared with the token
// only, they would be doubled.
//
// A queue belongs to one claim. Records that were polled before a fence lie
// beyond the position that the next claim reads. In a shared queue they would
// be the first of the new claim's range, whose from is its position: a range
// with a hole, under a claim that holds, at the offset that fits.
//
// from is the previous until, never the first record's offset. Compaction and
// transaction markers leave gaps, so a first record above from proves nothing;
// but that also means that a gap which the client made is invisible. Hence:
//
// The first gap of a claim is not believed. Setting the offset that the client
// believes to hold does nothing, and the client's committed offsets change even
// when its cursor does not. If the first record of a claim lies above its
// position, a fetch of our own at the position has to show that nothing lies
// between (probe); else the offset is set again.
//
// Only the poller sets offsets, between a poll and AllowRebalance. The
// assignment stands still then, and no group commit of ours is under way, which
// the client forbids at the same time.
//
// The first positions are pinned for all partitions of a topic, in the
// transaction that makes the topic known. With start policy latest, a partition
// whose first batch comes after a crash would otherwise begin at a later end,
// and what was produced in between would be lost. What appears later begins at
// its log start, whatever the policy.
//
// The bounds are listed after the claim. Listed before, a position that another
// owner moves on in between seems to lie beyond the end of the log. Even so it
// has to persist for half a minute before it counts.
//
// Topic id and cluster id are compared at the claim, and the topic id with each
// fetch and every ten seconds. A topic that was deleted and made anew has the
// same name, and offsets that mean other records. The client keeps to the id that
// it saw first; where a person has acknowledged the new one, a good claim that
// the brokers refuse by its id makes it give the topic up and subscribe again
// (renew).
//
// Halts are conditional on claim and position, and record their incident in the
// same transaction: a halt that comes late from a writer that was fenced must
// not stop the partition of its successor.
//
// A COMMIT without an answer is unknown, never failed (store, unknown). Taking
// the position rows FOR UPDATE waits for the old backend's end, and the one row
// that is still ours decides for the whole batch.
//
// Dead letters are written in the batch's transaction. Written before, a batch
// that is rolled back leaves letters of records that then land; written after,
// a crash loses them.
//
// Blockers are ended only where they wait for their client. No server timer
// frees a transaction that stalled inside COPY, so a stopped predecessor would
// hold the row for as long as its TCP connection lives; but a long merge is
// healthy.
//
// # Silent tails
//
// Where a partition came to rest below its last stable offset, what lies
// between may be markers and compacted records: no poll will ever say so. A
// fetch of our own at the position answers (tails); the range without records
// lands like any other, at most once a second. It is never taken from a listed
// offset, which can be ahead of what was read.
//
// # Idempotent delivery
//
// Where the database keeps no position rows, the group's committed offsets are
// the positions (groupPositions), and claims, halts and pauses are in memory.
// Nothing fences a writer then; what holds is that no record is passed over:
//
// An offset is committed when its rows are in Postgres, so a lost commit is a
// replay. A commit is of claims that are the last ones of partitions which this
// process has (assignment.latest), looked at once more when the client's
// generation is settled (send); the group refuses one of an older generation. So
// who lost a partition does not move its offset.
//
// The first positions are committed before the group is joined (Pin), which the
// group only lets happen while it has no members; later ones by the holder, with
// the claim. Partitions are given up after their offsets were committed, by a
// commit that waits for the one under way (farewell).
//
// A transaction that was still under way when its partition was given up can
// land after the next holder's: rows by an older record, where the table has
// nothing to tell their age.
//
// # Stages
//
// The poller puts records into queues and never blocks in between. Each lane
// has a builder, which encodes batch n+1, and an applier, which writes batch n;
// land is the only policy for what can go wrong. Nothing of this process is
// waited for while position rows are locked.
//
// Memory: a record counts its key, value, headers and 400 bytes from the poll
// until it landed, encoded rows count as well. The poller does not poll while
// the budget is spent, or while every lane has a whole batch waiting. A claim
// that has more than a quarter of the budget queued, or whose lane has more than
// half, is paused until it has less than an eighth, so that one lane that is
// stuck does not stop the others. Fetches are bounded by what batches inflate to
// when they are decompressed; a large value gets memory of its own, since it
// would keep all of what a fetch brought.
//
// A queue is due when it has records that it may give: all of them, unless its
// rate is capped (rate.go) or it waits. What it may not give sates no lane, and
// beyond two seconds' worth the client fetches no more of it.
//
// # Missing parents
//
// A row that a foreign key refers to may be on its way in another lane or topic.
// The partition that lacks it waits, and nobody else: patience.go says how. What
// the lane took of the partition goes back to the front of its queue, under the
// same claim, at the same position; the ranges that were built from it carry an
// older copy of the claim (stint), by which the lane knows them as lost, as it
// knows those of a claim that has ended.
//
// # Negative controls
//
// TestNegativeControls (integration) takes each guard out of the source, one at
// a time, and sees the named test fail, which passes with the guard in place.
//
//	offset compare               store: TestFencedByTheOffset
//	                             integration: TestStandbyPromotedWithoutTheLastCommits (lost)
//	claim compare                store: TestFencedByTheClaim
//	random token                 store: TestTokenIsNotMintedTwice
//	claim before read            store: TestClaimReadsWhatItHolds
//	queue of one claim           integration: TestQueueBelongsToOneClaim (lost)
//	first gap not believed       integration: TestFirstGapIsNotBelieved (lost)
//	silent tail is fetched       integration: TestQuietClientIsNoSilentTail (lost)
//	pinned start                 integration: TestStartIsPinned (lost)
//	                             store: TestPinnedOnce
//	topic id at the claim        integration: TestRecreatedTopicIsRefusedAtTheClaim (phantom)
//	truncated log halts          integration: TestTruncatedLogHalts
//	unknown COMMIT resolved      integration: TestCutAfterCommit/metric
//	  and offset compare         the same; TestCutAfterCommit/exact still passes
//	  and the ledger's key       integration: TestCutAfterCommit/exact (doubled)
//	dead letters not before      store: TestDeadLettersAreInTheTransaction
//	dead letters not after       integration: TestCutAfterCommit/exact (no dead letter)
//	halt compares the claim      store: TestHaltComparesClaimAndOffset
//	halt compares the offset     store: TestHaltComparesClaimAndOffset
//	stalled blocker is ended     store: TestClaimEndsStalledCopy
//	healthy blocker is let be    store: TestClaimLeavesHealthyWorkAlone
//
// The resolution of unknown COMMITs alone spares a fence, which its metric
// shows. Without it and without the offset compare, a batch that has landed is
// refused by the primary key of the ledger, in which no two ranges of a
// generation begin at the same offset; it takes all three to double a record.
// Merging old ranges (upkeep.go) leaves the newest one of a generation as it is.
package stream

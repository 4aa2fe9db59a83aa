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
// The group's client is a member of the group, and nothing else: it reads none of
// what it is assigned. onAssigned asks the claimer, which works in a goroutine of
// its own: it pins the topic's first positions (pin), writes a fresh random token
// into the position rows and reads the positions (Store.Claim), and only then asks
// the brokers for identity and bounds (check). A good claim opens a queue in the
// lane with the fewest, and the fetcher reads from its tail on. The group waits
// for none of this, and what could not be claimed is tried without end.
//
// # The way of a fetch
//
// The fetcher asks each broker for the partitions that it leads, by the topic id
// that the claim was checked against, or by name where the brokers have no ids, at
// the tail of the claim's queue. A queue is asked for by one fetch at a time, and the
// answer is for that queue: where the claim has ended meanwhile the queue takes
// nothing more, and where it was set back (shed), it has another tail. So what is
// read follows what was read before, without a hole, whatever happens in between.
//
// Partitions that are behind are asked for in turn, no more of them at a time than a
// fetch brings something of; the first may fill it, and what it brings need not be
// copied then to be kept apart. All that are not behind are asked for with them.
//
// The answer itself says what lies between: records, those of aborted
// transactions, markers, offsets that compaction removed. The tail moves behind
// all that was in it, and never to an offset that was only listed. A range without
// records, where a partition ends in markers, lands like any other, at most once a
// second.
//
// Who leads a partition is asked for when nobody answers for it, or somebody
// answers that he does not, and twice a minute. A leader that was elected since
// the queue was read last is asked first where the log ends for the epoch of what
// was read (truncated.go).
//
// A partition that the brokers do not know any more, or whose topic has another id,
// has its claim ended after some such answers: the check of the next claim says
// what is the matter. One without a leader is waited for. A broker may lag behind:
// an older leader epoch is believed only where several answers in a row tell of it.
//
// A claim is not ended for what Kafka has no more before all that was read under it
// has landed: it may be nowhere else.
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
// A queue belongs to one claim. Records that were read before a fence lie
// beyond the position that the next claim reads. In a shared queue they would
// be the first of the new claim's range, whose from is its position: a range
// with a hole, under a claim that holds, at the offset that fits.
//
// from is the previous until, never the first record's offset. Compaction and
// transaction markers leave gaps, so a first record above from proves nothing.
//
// An answer is for the tail that was asked for. A queue that waits for a missing
// row gives memory up at its end, and is read there again; the answer to a fetch
// from before that lies behind a hole.
//
// Aborted transactions are passed over: the brokers give their records all the
// same, and list which ones they are.
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
// Topic id and cluster id are compared at the claim; the topic id is in each
// fetch, and is compared every ten seconds, and with each look-up of leaders, for
// brokers that do not know of it there. A topic that was deleted and made anew has
// the same name, and offsets that mean other records.
//
// A log that was cut off halts. After an unclean election the new leader's log may
// end below the position: what it holds there from now on are other records.
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
// The fetcher puts records into queues and never waits for a lane. Each lane has a
// builder, which encodes batch n+1, and an applier, which writes batch n; land is
// the only policy for what can go wrong. Nothing of this process is waited for
// while position rows are locked.
//
// Records lie in memory as they lay in the log (sinkd.Records), one buffer for
// what a fetch brought of a partition. That is decompressed, and copied where the
// answer had much else as well: the last record would keep all of it.
//
// Memory: such a buffer counts from the fetch until its last record landed, each
// record with what says where it is; encoded rows count as well. Nothing is fetched
// while the budget is spent; nothing for a lane that has a whole batch waiting, or
// half of the budget queued beside others; nothing for a queue with more than a
// quarter of it. So one lane that is stuck does not stop the others. Fetches are
// bounded by what the batches of their topics inflate to when they are decompressed
// (growth.go).
//
// A queue is due when it has records that it may give: all of them, unless its
// rate is capped (rate.go) or it waits. What it may not give sates no lane, and
// beyond two seconds' worth no more of it is fetched.
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
//	answer for the tail asked    stream: TestAnswerForAnotherTailIsDropped
//	aborted are passed over      integration: TestTransactions (phantom)
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

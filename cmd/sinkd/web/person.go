package web

import (
	"fmt"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// card is something that needs a person, with the commands that deal with it.
type card struct {
	ID       string    `json:"id"`
	Title    string    `json:"title"`
	What     string    `json:"what"`
	Where    string    `json:"where"`
	Count    int64     `json:"count"`
	First    time.Time `json:"first_seen"`
	Last     time.Time `json:"last_seen"`
	Sample   string    `json:"sample,omitempty"`
	SQLState string    `json:"sqlstate,omitempty"`
	Commands []string  `json:"commands"`
}

// cardsShown bounds the cards of either kind.
const cardsShown = 20

// cards are what needs a person: incidents, then groups of dead letters.
func cards(st *Status, seen *sight, kept bool) []card {
	out := []card{}
	for i := range seen.view.Status.Incidents {
		if i == cardsShown {
			break
		}
		out = append(out, incidentCard(&seen.view.Status.Incidents[i]))
	}
	if !kept {
		out = append(out, haltCards(st)...)
	}
	for i := range seen.letters.Groups {
		out = append(out, letterCard(&seen.letters.Groups[i]))
	}
	return out
}

func incidentCard(i *store.IncidentRow) card {
	where := i.Topic
	switch {
	case where == "":
		where = "the whole pipeline"
	case i.Partition >= 0:
		where = fmt.Sprintf("%s[%d]", i.Topic, i.Partition)
	}
	ack := fmt.Sprintf("sinkd incidents ack %d ", i.ID)
	commands := []string{ack + "--retry"}
	switch i.Kind {
	case sinkd.DataLost, sinkd.PositionMissing, sinkd.TopicRecreated, sinkd.ClusterChanged:
		commands = []string{ack + "--resume-from earliest", ack + "--resume-from latest"}
	}
	return card{
		ID: fmt.Sprintf("incident-%d", i.ID), Title: fmt.Sprintf("Incident %d: %s", i.ID, Cause(i.Kind)), What: i.Detail, Where: where,
		Count: i.Seen, First: i.Opened, Last: i.LastSeen, Commands: commands,
	}
}

// haltCards are the halts of this process, where no table keeps incidents.
func haltCards(st *Status) (out []card) {
	for _, p := range st.Partitions {
		if p.Incident == "" || len(out) == cardsShown {
			continue
		}
		where := fmt.Sprintf("%s[%d]", p.Topic, p.Partition)
		out = append(out, card{
			ID: "halt-" + where, Title: "Halted: " + Cause(p.Incident), What: p.Detail, Where: where,
			Count: 1, Commands: []string{"sinkd check"},
		})
	}
	return out
}

func letterCard(g *store.ViewGroup) card {
	c := card{
		ID:    "letters-" + g.Topic + "-" + g.Stage + "-" + g.SQLState + "-" + g.Reason,
		Title: "Dead letters of " + g.Topic, What: g.Reason, Where: g.Topic + ", stage " + g.Stage,
		Count: g.Count, First: g.First, Last: g.Last, SQLState: g.SQLState,
		Sample: fmt.Sprintf("%s[%d] offset %d", g.Topic, g.Partition, g.Offset),
	}
	c.Commands = []string{
		fmt.Sprintf("sinkd dead-letters show %s %d %d", g.Topic, g.Partition, g.Offset),
		"sinkd dead-letters replay --topic " + g.Topic + " --dry-run",
	}
	return c
}

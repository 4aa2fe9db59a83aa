package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// order is a record's value.
type order struct {
	ID        int64     `json:"id"`
	Customer  string    `json:"customer"`
	Product   string    `json:"product"`
	Quantity  int       `json:"quantity"`
	Amount    string    `json:"amount"`
	OrderedAt time.Time `json:"ordered_at"`
}

// shop makes orders up.
type shop struct {
	random   *rand.Rand
	last     int64
	products []product
}

type product struct {
	name  string
	cents int
}

func newShop() *shop {
	return &shop{
		random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		products: []product{
			{"espresso", 260}, {"flat white", 390}, {"pour over", 450}, {"croissant", 280}, {"beans 250 g", 1190},
		},
	}
}

// order gives the next order. Ids rise, also from one process to the next.
func (s *shop) order(now time.Time) order {
	s.last = max(s.last+1, now.UnixMicro())
	p, n := s.products[s.random.IntN(len(s.products))], 1+s.random.IntN(4)
	return order{
		ID: s.last, Customer: fmt.Sprintf("customer-%d", 1+s.random.IntN(500)), Product: p.name, Quantity: n,
		Amount: fmt.Sprintf("%d.%02d", n*p.cents/100, n*p.cents%100), OrderedAt: now.UTC(),
	}
}

// record is the order as it is sent: one customer's orders keep their sequence.
func (o order) record() *kgo.Record {
	value, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings, numbers and a time
	}
	return &kgo.Record{Key: []byte(o.Customer), Value: value}
}

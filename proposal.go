package sinkd

// Proposal is a table that the records of a sample fit, with what is not sure
// about it. It holds no values of records, but names of fields.
type Proposal struct {
	Columns []ProposedColumn `json:"columns"`
	// Key are the columns that tell records apart as the record's key does;
	// empty where there are none.
	Key []string `json:"key"`
	// Records counts those with fields, Tombstones those without a value, Bad
	// those that no table would take.
	Records    int `json:"records"`
	Tombstones int `json:"tombstones"`
	Bad        int `json:"bad"`
	// Notes say what is not sure about the whole.
	Notes []string `json:"notes"`
}

// ProposedColumn is a column of a proposal.
type ProposedColumn struct {
	// Name is as the records have it, unquoted; Type is a Postgres type.
	Name string `json:"name"`
	Type string `json:"type"`
	// NotNull tells that each record has a value for it.
	NotNull bool `json:"not_null"`
	// Seen counts the records that have the field, Nulls those where it is null.
	Seen  int `json:"seen"`
	Nulls int `json:"nulls"`
	// Notes say what is not sure about it.
	Notes []string `json:"notes"`
}

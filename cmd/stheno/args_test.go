package main

import (
	"slices"
	"testing"
)

func TestFlagsWithOneDash(t *testing.T) {
	given := []string{"bench", "-only", "conv", "--json", "-h", "-limit=3s", "-1", "-j=2", "-", "--", "-json"}
	want := []string{"bench", "--only", "conv", "--json", "-h", "--limit=3s", "-1", "-j=2", "-", "--", "-json"}
	if got := longFlags(given); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

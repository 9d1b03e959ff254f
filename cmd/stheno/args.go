package main

import "unicode"

// longFlags lets flags be written with one dash, as Go's own tools have them: -json becomes --json. There are
// no clusters of one-letter flags that this could break. What follows "--" is left alone.
func longFlags(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if a == "--" {
			copy(out[i:], args[i:])
			break
		}
		out[i] = a
		if r := []rune(a); len(r) > 2 && r[0] == '-' && unicode.IsLetter(r[1]) && r[2] != '=' {
			out[i] = "-" + a
		}
	}
	return out
}

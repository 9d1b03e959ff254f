// Package zoo has the architectures by name, with the variable names of the implementations whose weights
// everybody uses.
package zoo

// Package optim updates parameters by their gradients.
//
// An Optimizer is a formula with its settings: it updates one parameter, in place, in one pass, and keeps
// nothing itself. A State applies one to all parameters of a network: it keeps the slots (momentum and the
// like) and step counts, and does what goes round the formula: groups with rates of their own, which
// parameters decay, clipping, accumulation over batches, and export to and import from a checkpoint.
//
// Formulas and defaults are PyTorch's, so that published settings give what they gave there.
package optim

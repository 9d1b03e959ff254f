// Package nn has layers, initialisers and models. Layers are plain structs whose zero values are useful; they
// add themselves to a graph.Graph, where their variables get names such as "layer1.conv2.weight". A Model is a
// network with its variables: the same code builds it for training, evaluation and every batch size.
package nn

package graph_test

import (
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestStockOps runs stock ops one by one, with their gradients where Gorgonia can build them, on the stock
// machine and on ours.
func TestStockOps(t *testing.T) {
	type build func(a, b, v, x *G.Node) (*G.Node, error) // matrices [3, 4], vector [4], picture [2, 3, 6, 6]
	unary := func(f func(*G.Node) (*G.Node, error)) build {
		return func(a, _, _, _ *G.Node) (*G.Node, error) { return f(a) }
	}
	binary := func(f func(a, b *G.Node) (*G.Node, error)) build {
		return func(a, b, _, _ *G.Node) (*G.Node, error) { return f(a, b) }
	}
	compare := func(f func(a, b *G.Node, retSame bool) (*G.Node, error), same bool) build {
		return func(a, b, _, _ *G.Node) (*G.Node, error) { return f(a, b, same) }
	}
	sum := func(f func(a *G.Node, along ...int) (*G.Node, error), along ...int) build {
		return func(a, _, _, _ *G.Node) (*G.Node, error) { return f(a, along...) }
	}
	for name, f := range map[string]build{
		"abs": unary(G.Abs), "sign": unary(G.Sign), "ceil": unary(G.Ceil), "floor": unary(G.Floor), "sin": unary(G.Sin),
		"cos": unary(G.Cos), "exp": unary(G.Exp), "neg": unary(G.Neg), "square": unary(G.Square), "cube": unary(G.Cube),
		"tanh": unary(G.Tanh), "sigmoid": unary(G.Sigmoid), "log1p": unary(G.Log1p), "expm1": unary(G.Expm1),
		"softplus": unary(G.Softplus), "rectify": unary(G.Rectify), "inverse": unary(G.Inverse),
		"log":         unary(func(a *G.Node) (*G.Node, error) { return G.Log(G.Must(G.Square(a))) }),
		"log2":        unary(func(a *G.Node) (*G.Node, error) { return G.Log2(G.Must(G.Square(a))) }),
		"sqrt":        unary(func(a *G.Node) (*G.Node, error) { return G.Sqrt(G.Must(G.Square(a))) }),
		"inverse √":   unary(func(a *G.Node) (*G.Node, error) { return G.InverseSqrt(G.Must(G.Square(a))) }),
		"leaky relu":  unary(func(a *G.Node) (*G.Node, error) { return G.LeakyRelu(a, 0.1) }),
		"softmax":     unary(func(a *G.Node) (*G.Node, error) { return G.SoftMax(a) }),
		"log softmax": unary(func(a *G.Node) (*G.Node, error) { return G.LogSoftMax(a) }),
		"sparsemax":   unary(func(a *G.Node) (*G.Node, error) { return G.Sparsemax(a) }),
		"transpose":   unary(func(a *G.Node) (*G.Node, error) { return G.Transpose(a) }),
		"slice":       unary(func(a *G.Node) (*G.Node, error) { return G.Slice(a, G.S(0, 2), G.S(1, 3)) }),
		"slice row":   unary(func(a *G.Node) (*G.Node, error) { return G.Slice(a, G.S(1)) }),
		"slice one":   unary(func(a *G.Node) (*G.Node, error) { return G.Slice(a, G.S(1), G.S(2)) }),
		"add":         binary(G.Add), "sub": binary(G.Sub), "product": binary(G.HadamardProd), "quotient": binary(G.HadamardDiv),
		"pow": binary(func(a, b *G.Node) (*G.Node, error) { return G.Pow(G.Must(G.Square(a)), b) }),
		"gt":  compare(G.Gt, true), "gte": compare(G.Gte, true), "lt": compare(G.Lt, true), "lte": compare(G.Lte, true),
		"eq": compare(G.Eq, true), "ne": compare(G.Ne, true), "gt bool": compare(G.Gt, false),
		"sum": sum(G.Sum), "sum 0": sum(G.Sum, 0), "sum 1": sum(G.Sum, 1), "sum both": sum(G.Sum, 0, 1),
		"mean": sum(G.Mean), "mean 0": sum(G.Mean, 0), "mean 1": sum(G.Mean, 1), "max": sum(G.Max), "max 1": sum(G.Max, 1),
		"norm": unary(func(a *G.Node) (*G.Node, error) { return G.Norm(a, 1, 2) }),
		"keep dims": unary(func(a *G.Node) (*G.Node, error) {
			return G.KeepDims(a, false, func(a *G.Node) (*G.Node, error) { return G.Sum(a, 1) })
		}),
		"concat":     binary(func(a, b *G.Node) (*G.Node, error) { return G.Concat(1, a, b) }),
		"stack":      binary(func(a, b *G.Node) (*G.Node, error) { return G.Concat(0, a, b) }),
		"mul":        binary(func(a, b *G.Node) (*G.Node, error) { return G.Mul(a, G.Must(G.Transpose(b, 1, 0))) }),
		"mul vector": func(a, _, v, _ *G.Node) (*G.Node, error) { return G.Mul(a, v) },
		"vector mul": func(a, _, v, _ *G.Node) (*G.Node, error) { return G.Mul(v, G.Must(G.Transpose(a, 1, 0))) },
		"inner":      func(_, _, v, _ *G.Node) (*G.Node, error) { return G.Mul(v, v) },
		"outer":      func(_, _, v, _ *G.Node) (*G.Node, error) { return G.OuterProd(v, v) },
		"tensordot":  binary(func(a, b *G.Node) (*G.Node, error) { return G.Tensordot([]int{1}, []int{1}, a, b) }),
		"batched": func(a, b, _, _ *G.Node) (*G.Node, error) {
			return G.BatchedMatMul(G.Must(G.Reshape(a, tensor.Shape{2, 2, 3})), G.Must(G.Reshape(b, tensor.Shape{2, 3, 2})))
		},
		"broadcast add": func(a, _, v, _ *G.Node) (*G.Node, error) { return G.BroadcastAdd(a, v, nil, []byte{0}) },
		"broadcast sub": func(a, _, v, _ *G.Node) (*G.Node, error) { return G.BroadcastSub(v, a, []byte{0}, nil) },
		"scalar": func(a, _, v, _ *G.Node) (*G.Node, error) {
			return G.Add(G.Must(G.Mul(a, G.Must(G.Sum(v)))), G.NewConstant(2.0))
		},
		"scalar chain": func(a, b, _, _ *G.Node) (*G.Node, error) { return G.Div(G.Must(G.Sum(a)), G.Must(G.Sum(b))) },
		"conv": func(a, _, _, x *G.Node) (*G.Node, error) {
			filter := G.Must(G.Reshape(G.Must(G.Square(a)), tensor.Shape{1, 3, 2, 2}))
			return G.Conv2d(x, filter, tensor.Shape{2, 2}, []int{1, 1}, []int{2, 2}, []int{1, 1})
		},
		"max pool": func(_, _, _, x *G.Node) (*G.Node, error) {
			return G.MaxPool2D(x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
		},
		"average pool": func(_, _, _, x *G.Node) (*G.Node, error) {
			return G.AveragePool2D(x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
		},
		"global pool":  func(_, _, _, x *G.Node) (*G.Node, error) { return G.GlobalAveragePool2D(x) },
		"upsample":     func(_, _, _, x *G.Node) (*G.Node, error) { return G.Upsample2D(x, 2) },
		"transpose 4":  func(_, _, _, x *G.Node) (*G.Node, error) { return G.Transpose(x, 0, 2, 3, 1) },
		"sum picture":  func(_, _, _, x *G.Node) (*G.Node, error) { return G.Sum(x, 2, 3) },
		"mean picture": func(_, _, _, x *G.Node) (*G.Node, error) { return G.Mean(x, 1) },
		"used twice":   func(a, _, _, _ *G.Node) (*G.Node, error) { s := G.Must(G.Square(a)); return G.Add(s, G.Must(G.Exp(s))) },
		"itself":       func(a, _, _, _ *G.Node) (*G.Node, error) { return G.HadamardProd(a, a) },
		"reshaped, used": func(a, _, _, _ *G.Node) (*G.Node, error) {
			s := G.Must(G.Square(a)) // stock Reshape hands out its input: what is made of it must not be written over it
			r := G.Must(G.Reshape(s, tensor.Shape{4, 3}))
			return G.Add(G.Must(G.Neg(G.Must(G.Exp(r)))), G.Must(G.Reshape(G.Must(G.Add(s, s)), tensor.Shape{4, 3})))
		},
	} {
		t.Run(name, func(t *testing.T) {
			type outcome struct {
				tr        *trace
				err       error
				gradients bool
			}
			run := func(newMachine constructor) (o outcome) {
				o.tr = &trace{t: t}
				g := G.NewGraph()
				a := G.NodeFromAny(g, normal64(1, 1, 3, 4), G.WithName("a"))
				b := G.NodeFromAny(g, normal64(2, 1, 3, 4), G.WithName("b"))
				v := G.NodeFromAny(g, normal64(3, 1, 4), G.WithName("v"))
				x := G.NodeFromAny(g, normal64(4, 1, 2, 3, 6, 6), G.WithName("x"))
				var y *G.Node
				if y, o.err = tryNode(func() (*G.Node, error) { return f(a, b, v, x) }); o.err != nil {
					return o
				}
				var value G.Value
				G.Read(y, &value)
				var used G.Nodes
				if y.Dtype() == tensor.Float64 {
					_, err := tryNode(func() (*G.Node, error) {
						cost := y
						if len(y.Shape()) > 0 {
							cost = G.Must(G.Sum(G.Must(G.Square(y))))
						}
						for _, n := range (G.Nodes{a, b, v, x}) {
							if g.To(n.ID()).Len() > 0 {
								used = append(used, n)
							}
						}
						_, err := G.Grad(cost, used...)
						return nil, err
					})
					o.gradients = err == nil
				}
				vm := newMachine(g)
				defer vm.Close()
				for range 2 {
					if o.err = vm.RunAll(); o.err != nil {
						return o
					}
					o.tr.note("value", value)
					if o.gradients {
						for _, n := range used {
							d, err := n.Grad()
							if err != nil {
								o.err = err
								return o
							}
							o.tr.note("gradient of "+n.Name(), d)
						}
					}
					vm.Reset()
				}
				return o
			}
			stock, ours := run(stockMachine), run(ourTape)
			if stock.err != nil {
				t.Skipf("the stock machine cannot: %v; ours: %v", stock.err, ours.err)
			}
			if ours.err != nil {
				t.Fatalf("%+v", ours.err)
			}
			if stock.gradients != ours.gradients {
				t.Fatalf("gradients: %v on the stock machine, %v on ours", stock.gradients, ours.gradients)
			}
			compareTraces(t, stock.tr, ours.tr, 0)
		})
	}
}

// tryNode makes an error of a panic: Gorgonia panics where an op has no gradient.
func tryNode(f func() (*G.Node, error)) (n *G.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked{r}
		}
	}()
	return f()
}

type panicked struct{ what any }

func (p panicked) Error() string { return "panic" }

// TestStockReshapeTrap: stock Reshape hands out its input's memory, and the stock machine then writes the next
// result over it: it changes the user's own value. Ours does not.
func TestStockReshapeTrap(t *testing.T) {
	run := func(newMachine constructor) (input, value, gradient []float64) {
		g := G.NewGraph()
		a := G.NodeFromAny(g, normal64(1, 1, 3, 4), G.WithName("a"))
		y := G.Must(G.Reshape(a, tensor.Shape{2, 6}))
		var read G.Value
		G.Read(y, &read)
		_, err := G.Grad(G.Must(G.Sum(G.Must(G.Square(y)))), a)
		must(t, err)
		vm := newMachine(g)
		defer vm.Close()
		must(t, vm.RunAll())
		d, err := a.Grad()
		must(t, err)
		return floats(t, a.Value()), floats(t, read), floats(t, d)
	}
	want := floats(t, normal64(1, 1, 3, 4))
	if input, _, _ := run(stockMachine); input[0] == want[0] {
		t.Error("the stock machine's trap is gone: TestStockOps can take reshape and ravel in again")
	}
	input, value, gradient := run(ourTape)
	for i, x := range want {
		if input[i] != x || value[i] != x || gradient[i] != 2*x {
			t.Errorf("element %d: input %v, value %v, gradient %v; want %v, %v, %v", i, input[i], value[i], gradient[i], x, x, 2*x)
		}
	}
}

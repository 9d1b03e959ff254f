package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/ops"
)

func TestOtherPoolingGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/pool_other.safetensors") {
		var a struct {
			Op   string
			Size [2]int
		}
		c.Attrs(t, &a)
		c.Check(t, poolTol32, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			switch a.Op {
			case "GlobalAvg":
				return ops.GlobalAvgPool(in[0])
			case "GlobalMax":
				return ops.GlobalMaxPool(in[0])
			case "AdaptiveAvg":
				return ops.AdaptiveAvgPool2D(in[0], a.Size)
			}
			return ops.MaxUnpool2D(in[0], in[1], a.Size)
		})
	}
}

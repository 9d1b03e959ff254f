package main

import (
	"context"
	"fmt"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/plot"
)

// sheet draws test digits with what the network takes them for: those that it gets wrong first, as far as
// they fill half of the sheet, and then the first of the others.
func sheet(ctx context.Context, m *nn.Model, test *data.Images, path string) error {
	const columns, rows = 10, 6
	loader, err := data.NewLoader(test, data.LoaderConfig{Batch: 500})
	if err != nil {
		return err
	}
	var wrong, right []plot.Picture
	for batch, err := range loader.Epoch(ctx, 0, 0) {
		if err != nil {
			return err
		}
		logits, err := m.Predict(ctx, batch.Images)
		if err != nil {
			return err
		}
		for i, label := range batch.Labels {
			row := logits.Float32s()[i*10 : (i+1)*10]
			digit := argmax(row)
			kind := &right
			if digit != label {
				kind = &wrong
			}
			if len(*kind) >= columns*rows {
				continue
			}
			ex, err := test.Get(batch.Index[i])
			if err != nil {
				return err
			}
			p := plot.Picture{Image: ex.Image, Caption: fmt.Sprint(digit)}
			if digit != label {
				p.Wrong, p.Caption = true, fmt.Sprintf("%d, is %d", digit, label)
			}
			*kind = append(*kind, p)
		}
	}
	wrong = wrong[:min(len(wrong), columns*rows/2)]
	shown := append(wrong, right[:min(len(right), columns*rows-len(wrong))]...)
	return plot.Sheet(path, "MNIST test digits and what the network takes them for", columns, shown)
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

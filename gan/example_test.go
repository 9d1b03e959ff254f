package gan_test

import (
	"context"
	"fmt"
	"log"

	"github.com/stheno-ml/stheno/gan"
)

// Pictures between two random ones.
func Example() {
	generator, _, err := gan.Pair{Size: 16, Channels: 1, Width: 8}.New()
	if err != nil {
		log.Fatal(err)
	}
	from, err := gan.Latents(generator, 3, 1)
	if err != nil {
		log.Fatal(err)
	}
	to, err := gan.Latents(generator, 3, 2)
	if err != nil {
		log.Fatal(err)
	}
	way, err := gan.Interpolate(from, to, 5)
	if err != nil {
		log.Fatal(err)
	}
	sampler, err := gan.NewSampler(generator, 8)
	if err != nil {
		log.Fatal(err)
	}
	made, err := sampler.Draw(context.Background(), way, nil)
	if err != nil {
		log.Fatal(err)
	}
	pictures, err := gan.Images(made)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made.Shape(), len(pictures), gan.Grid(pictures, 5).Bounds().Size())
	// Output: (15, 1, 16, 16) 15 (332,200)
}

package conv

//go:generate sh -c "cd ../gen && go run ./conv -out ../conv/kernels_amd64.s -stubs ../conv/kernels_amd64.go -pkg conv"

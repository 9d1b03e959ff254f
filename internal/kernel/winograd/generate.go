package winograd

//go:generate sh -c "cd ../gen && go run ./winograd -out ../winograd/kernels_amd64.s -stubs ../winograd/kernels_amd64.go -pkg winograd"

#!/bin/sh
# Writes imagenet.txt, the class names of ImageNet-1k in the order of the outputs of published networks, from the npm
# package @tensorflow-models/mobilenet 2.1.1 (dist/imagenet_classes.js, Copyright 2019 Google LLC, Apache-2.0).
set -e
dir=$(mktemp -d)
npm pack --silent --pack-destination "$dir" @tensorflow-models/mobilenet@2.1.1 >/dev/null
tar -xzf "$dir"/*.tgz -C "$dir"
node -e 'const c = require(process.argv[1]).IMAGENET_CLASSES; for (let i = 0; i < 1000; i++) console.log(c[i])' \
	"$dir/package/dist/imagenet_classes.js" >imagenet.txt
rm -r "$dir"

// Measures ONNX Runtime on a network that export_onnx.py wrote, as internal/bench measures ours.
//
// usage: NODE_PATH=…/node_modules node ort_models.js FOLDER/NAME.onnx BATCH
//
// Prints a JSON list of {name, mode, batch, pictures_per_second, ms, cpu_ms, rss_mib, clean, all}.
const fs = require('fs')
const os = require('os')
const path = require('path')
const ort = require('onnxruntime-node')

const threads = +(process.env.THREADS || os.cpus().length)
const median = list => list.slice().sort((a, b) => a - b)[list.length >> 1]

// Seconds that all processes, and this one, have kept processors busy.
const busy = () => {
  const f = fs.readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number)
  return (f[0] + f[1] + f[2] + f[5] + f[6] + f[7]) / 100
}
const own = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1e6 }
const now = () => Number(process.hrtime.bigint()) / 1e9

async function measure (f, sample = 0.15, samples = 7, limit = +(process.env.LIMIT || 15)) {
  for (let i = 0; i < 3; i++) await f()
  let t = now()
  await f()
  const calls = Math.floor(sample / (now() - t)) + 1
  const clean = []; const all = []; const cpu = []
  for (const begin = now(); clean.length < samples && (now() - begin < limit || all.length < 3);) {
    const b = busy(); const o = own(); t = now()
    for (let i = 0; i < calls; i++) await f()
    const took = now() - t; const used = own() - o
    all.push(took / calls)
    cpu.push(used / calls)
    if (busy() - b - used <= 0.06 * took * os.cpus().length) clean.push(took / calls)
    else await new Promise(resolve => setTimeout(resolve, 100))
  }
  return { ms: 1e3 * median(clean.length > 1 ? clean : all), cpu_ms: 1e3 * median(cpu), clean: clean.length, all: all.length }
}

async function main () {
  const file = process.argv[2]; const batch = +process.argv[3]; const name = path.basename(file, '.onnx')
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all', executionMode: 'sequential'
  })
  const size = { resnet20: 32, inception_v3: 299, xception: 299 }[name] || 224
  const x = Float32Array.from({ length: batch * 3 * size * size }, () => 2 * Math.random() - 1)
  const feeds = { x: new ort.Tensor('float32', x, [batch, 3, size, size]) }
  const t = await measure(() => session.run(feeds))
  console.log(JSON.stringify([{ name, mode: 'infer', batch, pictures_per_second: batch / t.ms * 1e3, rss_mib: process.resourceUsage().maxRSS / 1024, ...t }]))
}

main().catch(e => { console.error(e); process.exit(1) })

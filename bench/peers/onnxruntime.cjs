#!/usr/bin/env node
// ONNX Runtime, as npm's onnxruntime-node brings it, on the ONNX file that linnet convert or linnet quantize wrote.
//
//   onnxruntime.cjs MODEL.onnx [--threads N] [--runs N] [--image FILE] [--scores FILE]
//
// NODE_PATH says where the package is. Takes what the other drivers take (--runs 0: only scores) and prints their line of
// JSON, less what it cannot know: the multiply-adds and the ceiling. The time of a run includes the call from JavaScript.
'use strict';
const fs = require('fs');

function parse(words) {
  const options = {threads: '1', runs: '100', image: '', scores: ''};
  const models = [];
  for (let i = 0; i < words.length; ++i) {
    const name = words[i].replace(/^--/, '');
    if (name === words[i]) models.push(words[i]);
    else if (name in options && i + 1 < words.length) options[name] = words[++i];
    else throw new Error(`${words[i]} is not an option with a value`);
  }
  if (models.length !== 1) throw new Error('one MODEL.onnx is expected');
  return {model: models[0], threads: Number(options.threads), runs: Number(options.runs), image: options.image, scores: options.scores};
}

// H x W x C as the other drivers read it, C x H x W as ONNX wants it.
function planes(image, [, c, h, w]) {
  const out = new Float32Array(image.length);
  for (let pixel = 0; pixel < h * w; ++pixel)
    for (let channel = 0; channel < c; ++channel) out[channel * h * w + pixel] = image[pixel * c + channel];
  return out;
}

async function main() {
  const options = parse(process.argv.slice(2));
  const ort = require('onnxruntime-node');
  const session = await ort.InferenceSession.create(options.model, {
    intraOpNumThreads: options.threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all'});
  const shape = session.inputMetadata[0].shape.map((n) => (typeof n === 'number' && n > 0 ? n : 1));
  const size = shape.reduce((a, b) => a * b);
  const image = options.image ? new Float32Array(new Uint8Array(fs.readFileSync(options.image)).buffer) : new Float32Array(size).fill(0.5);
  if (image.length !== size) throw new Error(`${options.image}: holds ${image.length} values, the model takes ${size}`);
  const feeds = {[session.inputNames[0]]: new ort.Tensor('float32', planes(image, shape), shape)};
  const run = async () => (await session.run(feeds))[session.outputNames[0]].data;

  const scores = await run();
  if (options.scores) fs.writeFileSync(options.scores, Buffer.from(scores.buffer, scores.byteOffset, scores.byteLength));
  const result = {engine: 'ONNX Runtime', threads: options.threads};
  if (options.runs > 0) {
    const now = () => Number(process.hrtime.bigint()) / 1e6;
    const warmup = now();
    for (let i = 0; i < 10 || now() - warmup < 300; ++i) await run();
    const times = [];
    for (let i = 0; i < options.runs; ++i) {
      const before = now();
      await run();
      times.push(now() - before);
    }
    times.sort((a, b) => a - b);
    const middle = (times.length - 1) / 2;
    result.median_ms = (times[Math.floor(middle)] + times[Math.ceil(middle)]) / 2;
    result.min_ms = times[0];
    result.runs = times.length;
    result.peak_rss_bytes = process.resourceUsage().maxRSS * 1024;
  }
  console.log(JSON.stringify(result));
}

main().catch((error) => {
  console.error(`ONNX Runtime: ${error.message}`);
  process.exit(1);
});

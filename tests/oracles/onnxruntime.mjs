// Runs a model in ONNX Runtime, so that tests can compare: node onnxruntime.mjs MODEL.onnx INPUT OUTPUT [LEVEL]
//
// INPUT is raw float32, in the model's own order of axes; as many images as it holds run as one batch, or one batch after another
// where the model fixes its size. OUTPUT gets the model's first output as it lies in memory, OUTPUT.1 the second, and so on.
// LEVEL is graphOptimizationLevel: disabled (the default: every operator as it stands in the file), basic, extended or all.
// onnxruntime-node is found under LINNET_ORACLES, by default build/oracles:
//   npm install --ignore-scripts --prefix build/oracles onnxruntime-node@1.30.0
// (its install script would fetch GPU libraries, which nothing here needs)
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const [model, input, output, level = 'disabled'] = process.argv.slice(2);
if (!output) {
  console.error('usage: node onnxruntime.mjs MODEL.onnx INPUT OUTPUT [LEVEL]');
  process.exit(2);
}
const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const oracles = path.resolve(process.env.LINNET_ORACLES ?? path.join(repository, 'build', 'oracles'));
const ort = createRequire(path.join(oracles, 'package.json'))('onnxruntime-node');

const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: level, intraOpNumThreads: 1 });
const bytes = readFileSync(input);
const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const [batch, ...image] = session.inputMetadata[0].shape;
const size = image.reduce((product, side) => product * side, 1);
const images = typeof batch === 'number' ? batch : values.length / size;
const parts = session.outputNames.map(() => []);
for (let at = 0; at < values.length; at += images * size) {
  const results = await session.run({
    [session.inputNames[0]]: new ort.Tensor('float32', values.subarray(at, at + images * size), [images, ...image]),
  });
  session.outputNames.forEach((name, i) => {
    const { data } = results[name];
    parts[i].push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  });
}
parts.forEach((part, i) => writeFileSync(i === 0 ? output : `${output}.${i}`, Buffer.concat(part)));

/** A sound of one channel as a WAV file of 16 bits. */
export function wav(sound: Float32Array, rate: number): Uint8Array {
  const samples = Int16Array.from(sound, (value) => 32767 * value);
  const head = new DataView(new ArrayBuffer(44));
  const texts: [number, string][] = [
    [0, "RIFF"],
    [8, "WAVEfmt "],
    [36, "data"],
  ];
  for (const [at, text] of texts) Array.from(text).forEach((letter, i) => head.setUint8(at + i, letter.charCodeAt(0)));
  // Bytes of the file, of this part, samples and bytes a second, bytes of the samples.
  const words: [number, number][] = [
    [4, 36 + samples.byteLength],
    [16, 16],
    [24, rate],
    [28, 2 * rate],
    [40, samples.byteLength],
  ];
  for (const [at, value] of words) head.setUint32(at, value, true);
  // PCM, channels, bytes and bits of a sample.
  const halves: [number, number][] = [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ];
  for (const [at, value] of halves) head.setUint16(at, value, true);
  return Buffer.concat([Buffer.from(head.buffer), Buffer.from(samples.buffer)]);
}

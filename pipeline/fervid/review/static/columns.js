// Packed columns back to arrays: base64, inflate, running sum. The counterpart of columns.py.

const ARRAYS = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array };
export const ABSENT = 255;
export const STEPS = 250;

export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** A column as a typed array. */
export async function unpack(column) {
  const stream = new Blob([bytesOf(column.data)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(stream).arrayBuffer();
  const values = new ARRAYS[column.kind](bytes);
  for (let i = 1; i < values.length; i++) values[i] += values[i - 1]; // wraps, as it was packed
  return values;
}

export async function unpackAll(columns) {
  return Promise.all(columns.map(unpack));
}

/** A time column as seconds. */
export async function unpackTimes(column) {
  return Float64Array.from(await unpack(column), (milliseconds) => milliseconds / 1000);
}

/** Inflating (zlib) where there is no DecompressionStream, as in worklets; the build puts fflate's code into this file. */
export { unzlibSync as inflate } from "fflate";

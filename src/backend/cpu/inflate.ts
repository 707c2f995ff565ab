/**
 * Inflates (zlib) where there is no DecompressionStream, as in worklets. The build puts fflate's code into this file.
 */
export { unzlibSync as inflate } from "fflate";

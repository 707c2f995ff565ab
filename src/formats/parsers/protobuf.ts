/** Reads protobuf messages. The build puts pbf's code into this file. */
export { PbfReader } from "pbf";

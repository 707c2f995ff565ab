/** Writes protobuf messages. The build puts pbf's code into this file. */
export { PbfWriter } from "pbf";

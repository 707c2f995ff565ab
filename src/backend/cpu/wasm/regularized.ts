// Layers with normalisation, zoneout or recurrent dropout.
export { regularizedForward } from "./regularized-forward";
export { regularizedBackward } from "./regularized-backward";

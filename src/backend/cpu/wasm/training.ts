// What training needs besides running.ts.
export { gateProduct, packGatePanels } from "./gate-product";
export { stepBackward } from "./recurrent-step";
export { crossEntropy, softmaxBackward } from "./rows";
export { activationBackward, dropout, squaredError } from "./elementwise";
export { embeddingScatter } from "./copies";
export { adam, gradientNorm, gradientNormPartial, rmsprop, sgd } from "./optimizers";

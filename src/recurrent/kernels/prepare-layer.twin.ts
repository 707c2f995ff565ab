/** The twins of prepare-layer.ts. */
import { prepareLayer } from "./prepare-layer.ts";
import { twin } from "../../kernels/twin.ts";

export const prepareLayerTwins = [
  twin(
    prepareLayer,
    (
      { weight, bias, forwardWeights, backwardWeights, table, ids, gathered },
      { H, G, width, fanIn, biasRow, useBias, backward, rows, columns, firstId },
    ) => {
      for (let k = 0; k < fanIn; k++) {
        for (let j = 0; j < H; j++) {
          for (let g = 0; g < G; g++) {
            const at = (k * H + j) * width + g;
            const inHead = j % fanIn;
            forwardWeights[at] = weight[(j * G + g) * fanIn + k];
            if (backward) backwardWeights[at] = weight[((j - inHead + k) * G + g) * fanIn + inHead];
          }
        }
      }
      for (let j = 0; j < H; j++) {
        for (let g = 0; g < G; g++) forwardWeights[(biasRow * H + j) * width + g] = useBias ? bias[j * G + g] : 0;
      }
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) gathered[row * columns + column] = table[ids[firstId + row] * columns + column];
      }
    },
  ),
];

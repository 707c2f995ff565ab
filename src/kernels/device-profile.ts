/** Times measured on a device, from which ops choose between equivalent kernels; plain JSON that apps can store. */
/** Microseconds per time step of both strategies (see `Strategy`), by units and rows of the profile's grid. */
export interface StrategyTimes {
  readonly loop: readonly (readonly number[])[];
  readonly step: readonly (readonly number[])[];
}

/**
 * The result of `calibrate`. All times are microseconds. Recurrent times are those of an LSTM layer; the times of other
 * cells are computed from them.
 */
export interface DeviceProfile {
  /** Changes with the kernels; profiles of other versions are ignored. */
  readonly version: number;
  /** The measured adapter; a profile of another adapter is ignored. */
  readonly adapter: string;
  /** Units H of the layers measured, ascending. */
  readonly units: readonly number[];
  /** Rows B of the batches measured, ascending. */
  readonly rows: readonly number[];
  /** Time step of a layer of one unit: the cost of dispatches and barriers alone. */
  readonly fixed: {
    readonly forward: { readonly loop: number; readonly step: number };
    readonly backward: { readonly loop: number; readonly step: number };
  };
  /** [units, rows] each. */
  readonly forward: StrategyTimes;
  readonly backward: StrategyTimes;
  /** A product with a long K, by ascending number of 4 x 4 blocks in C: each block by one thread, or by sixteen that share K. */
  readonly products: { readonly blocks: readonly number[]; readonly whole: readonly number[]; readonly split: readonly number[] };
}

export const profileVersion = 2;

/** True if a profile belongs to this adapter and to these kernels. */
export const profileFits = ({ version, adapter }: DeviceProfile, ofAdapter: string): boolean =>
  version === profileVersion && adapter === ofAdapter;

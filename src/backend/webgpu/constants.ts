/** WebGPU's flags. Browsers have them as globals; Node has not, where a device comes from the caller. */
export const bufferUsage = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, UNIFORM: 0x40, STORAGE: 0x80, QUERY_RESOLVE: 0x200 } as const;
export const shaderStage = { COMPUTE: 0x4 } as const;
export const mapMode = { READ: 0x1 } as const;

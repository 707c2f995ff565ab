export declare function setWasmPaths(prefix: string): void;
export declare function setThreadsCount(count: number): void;

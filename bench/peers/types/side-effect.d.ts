/** Imported for what it does, not for what it exports. */
export {};

declare module "mnist" {
  /** Pictures of each digit, 28 by 28 pixels from 0 to 1. */
  const digits: Readonly<Record<number, { readonly length: number; get(index: number): number[] }>>;
  export default digits;
}

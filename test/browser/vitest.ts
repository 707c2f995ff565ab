// Stands in for `vitest` inside a page, made of Vitest's own parts: the same runner and the same expect, so
// that a device test means the same in Node and in a browser. Mocks and snapshots need Node; they are absent.
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  getState,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from "@vitest/expect";
import { getCurrentTest } from "@vitest/runner";

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, onTestFailed, onTestFinished, suite, test } from "@vitest/runner";

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-unnecessary-type-assertion --
   expect is put together at run time, member by member; Vitest's own types describe it to the tests. */
export const expect: any = (value: unknown, message?: string) => {
  setState({ assertionCalls: getState(expect).assertionCalls + 1 }, expect);
  const assertion: any = chai.expect(value, message);
  const current = getCurrentTest();
  return current === undefined ? assertion : assertion.withTest(current);
};
Object.assign(expect, chai.expect, (globalThis as any)[ASYMMETRIC_MATCHERS_OBJECT]);
(globalThis as any)[GLOBAL_EXPECT] = expect;

expect.getState = () => getState(expect);
expect.setState = (state: object) => setState(state, expect);
expect.extend = (matchers: object) => (chai.expect as any).extend(expect, matchers);
expect.soft = (value: unknown, message?: string) => expect(value, message).withContext({ soft: true });
expect.unreachable = (message = "should not be reached") => chai.assert.fail(message);
expect.assertions = (expected: number) => {
  const error = new Error(`expected ${expected} assertions`);
  setState({ expectedAssertionsNumber: expected, expectedAssertionsNumberErrorGen: () => error }, expect);
};
expect.hasAssertions = () => {
  setState({ isExpectingAssertions: true, isExpectingAssertionsError: new Error("expected at least one assertion") }, expect);
};
expect.extend(customMatchers);

/** Around each test: start the count of assertions, and hold the test to what it announced. */
export function resetExpect(currentTestName: string): void {
  setState(
    {
      assertionCalls: 0,
      isExpectingAssertions: false,
      isExpectingAssertionsError: null,
      expectedAssertionsNumber: null,
      expectedAssertionsNumberErrorGen: null,
      currentTestName,
    },
    expect,
  );
}
export function checkExpect(): void {
  const { assertionCalls, expectedAssertionsNumber, expectedAssertionsNumberErrorGen, isExpectingAssertions, isExpectingAssertionsError } =
    getState(expect) as any;
  if (expectedAssertionsNumber !== null && assertionCalls !== expectedAssertionsNumber) throw expectedAssertionsNumberErrorGen();
  if (isExpectingAssertions && assertionCalls === 0) throw isExpectingAssertionsError;
}

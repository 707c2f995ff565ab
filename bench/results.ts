/** What a visit has measured so far, over several runs; a row measured again takes the place of the older one. */
import type { Reply } from "./messages.ts";
import type { Absence, Ceiling, Report, Row } from "./report.ts";
import type { Event } from "./runner.ts";
import { caseTitle, rowName } from "./words.ts";

const keyOf = (row: Row): string => `${caseTitle(row)} ${rowName(row)}`;

export class Results {
  private measured = new Map<string, Row>();
  private missing = new Map<string, Absence>();
  private matmul: Record<string, Ceiling> = {};
  private adapter = "";
  private note = "";
  private date = new Date().toISOString();
  software = false;

  constructor(private readonly browser: string, private readonly machine: string) {}

  open({ adapter, software, note }: Reply & { kind: "opened" }): void {
    this.adapter = adapter;
    this.software = software;
    this.note = note;
  }

  take(event: Event): void {
    if (event.kind === "row") {
      const key = keyOf(event.row);
      // Deleted first, so that a case measured again stands together.
      this.measured.delete(key);
      this.measured.set(key, event.row);
    } else if (event.kind === "absent") {
      const { library, backend, case: of } = event.absence;
      this.missing.set(`${library} ${backend} ${of}`, event.absence);
    } else if (event.kind === "ceiling") {
      this.matmul[event.backend] = event.ceiling;
    }
  }

  finish({ date, absent }: Report): void {
    this.date = date;
    for (const absence of absent) this.missing.set(`${absence.library} ${absence.backend} ${absence.case}`, absence);
  }

  clear(): void {
    this.measured.clear();
    this.missing.clear();
  }

  get rows(): readonly Row[] {
    // Rows of a case together, cases in the order in which they were first measured.
    const groups = new Map<string, Row[]>();
    for (const row of this.measured.values()) {
      const group = groups.get(caseTitle(row)) ?? [];
      group.push(row);
      groups.set(caseTitle(row), group);
    }
    return [...groups.values()].flat();
  }

  get absent(): readonly Absence[] {
    return [...this.missing.values()];
  }

  report(): Report {
    const { adapter, software, note, browser, date, machine, matmul, rows, absent } = this;
    return { adapter, software, note, browser, date, machine, matmul, rows, absent };
  }
}

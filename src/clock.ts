/** A moment by two clocks, milliseconds. */
export interface Moment {
  /** Never set, and stands still while the machine sleeps. */
  steady: number;
  /** Runs on while it sleeps, and is set. */
  wall: number;
}

export const moment = (): Moment => ({ steady: performance.now(), wall: Date.now() });

/**
 * Milliseconds between two moments, by whichever clock says more: for what must not be believed for too long. A clock that is set back does
 * not make it young again, nor does a sleep of the machine; one that is set forward costs a question.
 */
export const msBetween = (from: Moment, to: Moment): number => Math.max(to.steady - from.steady, to.wall - from.wall);

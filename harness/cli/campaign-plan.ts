/** What a run is to do: made of its flags, carried out by the campaign. */
import type { Engine, Wanted } from '../campaign/context.js';
import type { Skipped } from '../core/events.js';
import type { Target } from '../core/target.js';

export interface CampaignPlan {
  engines: Engine[];
  targets: Target[];
  skipped: Omit<Skipped, 'type'>[];
  wanted: Wanted[];
  /** Something in it mounts file systems. */
  wantsMounts: boolean;
}

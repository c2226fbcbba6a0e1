-- What the fleet wants to run of an app in an environment, so that what a cluster runs can be compared with it.

ALTER TABLE placements ADD COLUMN intended TEXT;

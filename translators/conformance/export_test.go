package conformance

// RaceEnabled says whether the race detector, which allocates, is on.
const RaceEnabled = raceEnabled

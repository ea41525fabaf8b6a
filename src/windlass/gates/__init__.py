"""Gates at work: the acts that begin and end an attempt, what does the work of a gate, and the loop that goes from gate to gate."""

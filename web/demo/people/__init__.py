"""What the demo app keeps of people, and the rules for letting them in: values and SQL, no HTTP."""

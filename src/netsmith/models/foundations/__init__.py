"""The learners that came first: by a rule of their own, by counting, solved at once, or by energy."""

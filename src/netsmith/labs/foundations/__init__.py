"""How networks learned before automatic differentiation, the classic learners beside them, and what each can do."""

"""When and on what to learn: tasks in sequence, transfer, curricula, few labels."""

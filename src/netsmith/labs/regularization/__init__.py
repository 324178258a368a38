"""Regularization: what noise, dropout, smoothing and stopping early are, shown exactly."""

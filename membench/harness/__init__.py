"""How a run happens: four stages (`play`, `read`, `judge`, `score`) over records on disk."""

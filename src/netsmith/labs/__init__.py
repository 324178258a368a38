"""One file, one small experiment whose figures a person looks at; beside recipes, and as they, where rooms meet."""

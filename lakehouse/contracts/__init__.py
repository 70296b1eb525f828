"""What is done with contracts beside holding rows against them: described to editors, drafted, compared, remembered."""

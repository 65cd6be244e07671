"""Detection data: COCO folders, checked; and a set that the package draws itself."""

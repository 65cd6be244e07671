"""COCO files and COCO's AP, without torch and YOLOX: annotations, results, metrics and matches."""

"""RetinaFace (Deng et al. 2020, arXiv 1905.00641): frames in, faces with five landmarks out."""

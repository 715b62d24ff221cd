from xpress.cli import infer

if __name__ == "__main__":
    infer()

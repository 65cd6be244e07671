import torch

from yolox_attn.models.assignment import (
    Anchors,
    Predictions,
    assign,
    choose,
    class_cost,
    in_boxes,
    in_centers,
    pairwise_iou,
)


def grid(side: int = 8, stride: float = 8.0) -> Anchors:
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    x, y = ((each.flatten() + 0.5) * stride for each in (columns, rows))
    return Anchors(x, y, torch.full_like(x, stride))


def test_a_centre_on_the_edge_is_outside() -> None:
    anchors = grid()
    box = torch.tensor([[12.0, 12.0, 16.0, 16.0]])  # from 4 to 20: centres 4, 12, 20
    assert in_boxes(anchors, box).nonzero()[:, 1].tolist() == [1 * 8 + 1]


def test_the_centre_reaches_two_and_a_half_cells_whatever_the_box() -> None:
    near = in_centers(grid(), torch.tensor([[32.0, 32.0, 1.0, 1.0]])).view(8, 8)
    # within 20 px of 32: centres 20, 28, 36, 44 are; 12 and 52 lie on the edge
    assert near.any(dim=0).tolist() == [i in (2, 3, 4, 5) for i in range(8)]
    assert near.sum() == 16


def test_iou_of_known_boxes() -> None:
    boxes = torch.tensor([[10.0, 10.0, 20.0, 20.0]])
    others = torch.tensor([[10.0, 10, 20, 20], [20, 10, 20, 20], [50, 50, 2, 2], [10, 10, 10, 10]])
    expected = torch.tensor([[1.0, 200 / 600, 0.0, 0.25]])
    torch.testing.assert_close(pairwise_iou(boxes, others), expected)


def test_class_cost_is_the_cross_entropy_of_the_joint_probability() -> None:
    torch.manual_seed(0)
    predicted = Predictions(torch.empty(5, 4), torch.randn(5, 1), torch.randn(5, 7))
    classes = torch.tensor([3.0, 0.0, 3.0])
    joint = (predicted.classes.sigmoid() * predicted.objectness.sigmoid()).sqrt().double()
    for row, label in zip(class_cost(predicted, classes), classes.int().tolist(), strict=True):
        truth = torch.zeros(7).double()
        truth[label] = 1
        entropy = -(truth * joint.log() + (1 - truth) * (1 - joint).log()).sum(dim=1)
        torch.testing.assert_close(row.double(), entropy, rtol=1e-5, atol=1e-5)


def test_a_box_gets_as_many_anchors_as_its_ious_sum_to() -> None:
    ious = torch.tensor([[0.9, 0.8, 0.7, 0.1], [0.0, 0.0, 0.0, 0.0]])  # 2.5 and 0
    cost = torch.tensor([[4.0, 1.0, 2.0, 3.0], [9.0, 9.5, 9.7, 0.5]])
    assert choose(cost, ious).tolist() == [[False, True, True, False], [False, False, False, True]]


def test_a_contested_anchor_is_matched_with_the_cheaper_box() -> None:
    ious = torch.tensor([[0.9, 0.9], [0.9, 0.1]])
    cost = torch.tensor([[1.0, 7.0], [0.5, 8.0]])
    assert choose(cost, ious).tolist() == [[False, False], [True, False]]


def test_without_boxes_no_anchor_is_foreground() -> None:
    predicted = Predictions(torch.rand(64, 4), torch.randn(64, 1), torch.randn(64, 3))
    found = assign(grid(), predicted, torch.empty(0, 4), torch.empty(0))
    assert (int(found.foreground.sum()), len(found.box), len(found.iou)) == (0, 0, 0)


def test_each_anchor_is_matched_with_one_box_that_it_is_near() -> None:
    torch.manual_seed(1)
    anchors = grid()
    boxes = torch.cat([torch.rand(9, 2) * 64, torch.rand(9, 2) * 30 + 4], dim=1)
    places = torch.stack([anchors.x, anchors.y], dim=1)
    predicted = Predictions(
        torch.cat([places, torch.full((64, 2), 16.0)], dim=1),
        torch.randn(64, 1),
        torch.randn(64, 3),
    )
    found = assign(anchors, predicted, boxes, torch.randint(3, (9,)).float())
    assert int(found.foreground.sum()) == len(found.box) == len(found.iou) > 0
    near = in_boxes(anchors, boxes) | in_centers(anchors, boxes)
    assert near.any(dim=0)[found.foreground].all()
    ious = pairwise_iou(boxes, predicted.boxes)[:, found.foreground]
    torch.testing.assert_close(found.iou, ious.gather(0, found.box[None])[0])
